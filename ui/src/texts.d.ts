/** Of the catalogue the texts of one language; ui/build.mjs makes these modules. */
declare module 'texts:en' {
    const texts: Record<string, string>;
    export default texts;
}
declare module 'texts:fr' {
    const texts: Record<string, string>;
    export default texts;
}
