// Style sheets are bundled by esbuild (client/console/bundle.ts).

declare module '*.css'
