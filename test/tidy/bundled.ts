// Child processes of the product (executors, loaders) that a test starts in its own process: from the checkout's bundle, as an installed
// package starts them. From the sources, each start takes three times as long.

import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Processes } from '../../src/ports/process.ts'
import { childProcesses } from '../../src/world/process.ts'
import { freshBundle, mains } from './bundle.ts'
import { root } from './source.ts'

let found: ReadonlyMap<string, URL> | undefined

/** Main files of the bundle, by those of the sources; empty without a bundle of the present sources, which are started then. */
function bundledMains(): ReadonlyMap<string, URL> {
  const dir = freshBundle()
  return new Map(dir === undefined ? [] : mains.map(([path, name]) => [join(root, `${path}.ts`), pathToFileURL(join(dir, `${name}.cjs`))]))
}

export const bundledProcesses: Processes = {
  ...childProcesses,
  start: options => childProcesses.start({ ...options, main: (found ??= bundledMains()).get(fileURLToPath(options.main)) ?? options.main }),
}
