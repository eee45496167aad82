// Builds the page into dist/: plain files that any server can send under a strict Content-Security-Policy.
// Nothing is inlined (no data: fonts, no inline script), so `script-src 'self'; style-src 'self'` holds.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  server: { host: "127.0.0.1", port: 5173, proxy: { "/api": { target: "http://127.0.0.1:7070", ws: true } } },
});
