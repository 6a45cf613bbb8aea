import { render } from 'preact';
import { App } from './app';
import { speak } from './i18n';
import { startKeys } from './keys';
import { startRouter } from './router';
import { findSession } from './session';
import { getSettings } from './settings';

startRouter();
startKeys();
void findSession();
await speak(getSettings().language);
render(<App />, document.getElementById('app')!);
