// Programs in a simulation: compiled and loaded for real, once each, while virtual time stands still. Node loads modules from
// real files only, so a bundle on a simulated disk is first copied into a temporary directory.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Compiler } from '../../../client/jobs/compile.ts'
import type { Modules } from '../../../src/ports/modules.ts'
import { bundleProgram, type Bundle } from '../../../src/program/bundle.ts'
import { localDisk } from '../../../src/world/disk.ts'
import { contentOf } from './host.ts'
import type { Process } from './process.ts'

let directory: string | undefined

function realDirectory(): string {
  if (directory === undefined || !existsSync(directory)) {
    const made = directory = mkdtempSync(join(tmpdir(), 'gristmill-sim-'))
    process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  }
  mkdirSync(directory, { recursive: true })
  return directory
}

const bundles = new Map<string, Promise<Bundle>>()
/** Clusters have jobs of the same names; this number gives each cluster its own module instances. */
let instances = 0

export function modulesOf(process: Process): Modules {
  const own = ++instances
  const realOf = (file: string): string => join(realDirectory(), basename(file))
  return {
    urlOf: file => pathToFileURL(realOf(file)).href,
    load: (file, instance) => process.kernel.outside(() => {
      const real = realOf(file)
      if (!existsSync(real)) writeFileSync(real, contentOf(process.host.files.get(file)!))
      return import(/* @vite-ignore */ `${pathToFileURL(real).href}?${own}-${encodeURIComponent(instance)}`) as Promise<unknown>
    }),
  }
}

export function compilerOf(process: Process): Compiler {
  return {
    modules: modulesOf(process),
    bundle: file => process.kernel.outside(() => {
      let bundle = bundles.get(file)
      if (!bundle) bundles.set(file, bundle = bundleProgram({ disk: localDisk }, file))
      return bundle
    }),
  }
}
