import { render } from 'preact';

render(<p>OpenRisk</p>, document.getElementById('app')!);
