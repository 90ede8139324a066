// Plugin of the bundle: packages load rare parts of Node, and a rare file of their own, when they use them. What a package requires at the
// top is loaded in each process, needed or not: HTTP/2 and TLS, by way of undici, fastify and prom-client, took a twelfth of the time in
// which a command starts. What a module sees stays the same.

import type { Plugin } from 'esbuild'
import { basename, dirname, join } from 'node:path'

/** Builtins that our own code needs in some processes only, or in none. */
const builtins = ['child_process', 'cluster', 'dns', 'http2', 'https', 'sqlite', 'tls', 'zlib']
/** Files of packages that export one function, which few processes call. */
const functions = ['undici/lib/dispatcher/client-h2.js']

/** Inputs of a bundle that are no files. */
export const isVirtual = (input: string): boolean => /^later-[a-z]+:/.test(input)

/** Packages that our own modules import at their top and few processes call: the functions that are called, and the default export. */
const packages: Readonly<Record<string, { readonly functions?: readonly string[]; readonly isDefault?: boolean }>> = {
  '@node-rs/crc32': { functions: ['crc32', 'crc32c'] }, // native code: an `ls` computes no checksum
  pino: { isDefault: true }, // commands log nothing
  // A command that starts an embedded namenode sends too few messages to compile a schema.
  '@fastify/ajv-compiler': { isDefault: true },
  '@fastify/fast-json-stringify-compiler': { isDefault: true },
}

/** For our own modules: a package of this list is loaded when a function of it is first called. */
export function laterPackages(): Plugin {
  return {
    name: 'later-packages',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^(?:${Object.keys(packages).join('|')})$`) }, ({ path, kind, namespace, resolveDir }) =>
        (kind === 'import-statement' && namespace === 'file' ? { path, namespace: 'later-package', pluginData: resolveDir } : undefined))
      onLoad({ filter: /^/, namespace: 'later-package' }, ({ path, pluginData: resolveDir }: { path: string; pluginData?: string }) =>
        ({ contents: functionsOf(path), resolveDir: resolveDir! }))
    },
  }
}

/** Text of a module whose exports load the package. A function has two parameters: rest parameters cost more than a checksum. */
function functionsOf(name: string): string {
  const { functions = [], isDefault = false } = packages[name]!
  return [
    `let real; const load = () => real ??= require('${name}')`,
    ...functions.map(one => `export const ${one} = (a, b) => load().${one}(a, b)`),
    ...isDefault
      ? ['export default new Proxy(() => {}, { apply: (_, self, given) => load()(...given), get: (_, key) => load()[key] })']
      : [],
  ].join('\n')
}

export function later(): Plugin {
  return {
    name: 'later',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^(?:node:)?(?:${builtins.join('|')})$`) }, ({ path, kind }) => {
        const namespace = { 'require-call': 'later-required', 'import-statement': 'later-imported' }[kind as string]
        return namespace === undefined ? undefined : { path: path.replace('node:', ''), namespace }
      })
      onLoad({ filter: /^/, namespace: 'later-required' }, ({ path }) => ({ contents: `module.exports = ${proxyOf(path)}` }))
      // Only its default export: another one would need the module at once, and esbuild refuses it.
      onLoad({ filter: /^/, namespace: 'later-imported' }, ({ path }) => ({ contents: `export default ${proxyOf(path)}` }))

      const names = functions.map(path => basename(path).replace('.', '\\.')).join('|')
      onResolve({ filter: new RegExp(`/(?:${names})$`) }, ({ path, kind, namespace, resolveDir }) => {
        const file = join(resolveDir, path)
        const isOne = namespace === 'file' && kind === 'require-call' && functions.some(one => file.endsWith(`node_modules/${one}`))
        if (!isOne) return undefined
        return { path: basename(file), namespace: 'later-called', pluginData: file }
      })
      onLoad({ filter: /^/, namespace: 'later-called' }, ({ pluginData: file }: { pluginData?: string }) => ({
        contents: `let real; module.exports = (...given) => (real ??= require(${JSON.stringify(file)}))(...given)`,
        resolveDir: dirname(file!),
      }))
    },
  }
}

/** Text of an object that loads the builtin when it is first looked at, and acts as the builtin. */
const proxyOf = (name: string): string => `(load => new Proxy({}, {
  get: (_, key) => load()[key],
  set: (_, key, value) => Reflect.set(load(), key, value),
  has: (_, key) => key in load(),
  ownKeys: () => Reflect.ownKeys(load()),
  getOwnPropertyDescriptor(_, key) {
    const found = Reflect.getOwnPropertyDescriptor(load(), key)
    return found && { ...found, configurable: true }
  },
}))(() => process.getBuiltinModule('node:${name}'))`
