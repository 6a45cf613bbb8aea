/** The catalogue: all that the interface says. */
import { admin } from './admin';
import { assets } from './assets';
import { common } from './common';
import { dashboard } from './dashboard';
import { keys } from './keys';
import { register } from './register';
import { risk } from './risk';

export const messages = { ...common, ...keys, ...dashboard, ...register, ...risk, ...assets, ...admin };
