/** What <p/> and <></> become; build.mjs puts it into each module. Smaller than the automatic form. */
export { Fragment, h } from 'preact';
