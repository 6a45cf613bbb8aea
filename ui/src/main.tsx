import { render } from 'preact';
import { App } from './app';
import { startKeys } from './keys';
import { startRouter } from './router';
import { findSession } from './session';

startRouter();
startKeys();
render(<App />, document.getElementById('app')!);
void findSession();
