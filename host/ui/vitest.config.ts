import { defineConfig } from "vitest/config";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: { css: true, include: ["test/**/*.test.ts"], environment: "node" },
});
