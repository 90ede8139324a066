// Plugin of the bundle: the parser of HTTP responses in undici is WebAssembly, which V8 optimizes at the third response, for 60 ms of
// processor time in each command, server and executor. Here V8 waits a hundred times longer, so that only a process that lives longer
// pays. It is told so while the parser is compiled, not for the whole process: with any other option than its own, Node does not use the
// compiled code of its builtins, and starts 30 ms later.

import type { Plugin } from 'esbuild'
import { dirname, join } from 'node:path'

const code = 'llhttp_simd-wasm.js'
/** V8's default, in bytes that were executed. */
const budget = 13_000_000

export function parser(): Plugin {
  return {
    name: 'parser',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\/llhttp_simd-wasm\.js$/ }, ({ path, namespace, resolveDir }) =>
        namespace === 'file' ? { path: code, namespace: 'later-compiled', pluginData: join(resolveDir, path) } : undefined)
      // Required as the argument of `new WebAssembly.Module(…)`, which reads the option before the first microtask.
      onLoad({ filter: /^/, namespace: 'later-compiled' }, ({ pluginData: file }: { pluginData?: string }) => ({
        contents: `const { setFlagsFromString } = require('node:v8')
setFlagsFromString('--wasm-tiering-budget=${budget * 100}')
queueMicrotask(() => setFlagsFromString('--wasm-tiering-budget=${budget}'))
module.exports = require(${JSON.stringify(file)})`,
        resolveDir: dirname(file!),
      }))
    },
  }
}
