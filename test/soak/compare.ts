// Final check of a soak: everything ever acknowledged is present, byte for byte, and nothing exists that no worker can have written.

import { hasCode } from '../../client/index.ts'
import type { Mill } from '../../client/mill.ts'
import type { Found, Ledger } from './ledger.ts'

export interface Comparison { readonly compared: number; readonly findings: readonly string[] }

/** Compares all paths in the ledger, and all files below `directory`. */
export async function compareAll(mill: Mill, ledger: Ledger, directory: string): Promise<Comparison> {
  const findings: string[] = []
  let compared = 0
  for (const path of ledger.paths()) {
    try {
      const wrong = ledger.seen(path, await lookAt(mill, path))
      if (wrong !== undefined) findings.push(wrong)
      else compared++
    } catch (error) {
      findings.push(`${path} cannot be read: ${(error as Error).message}`)
    }
  }
  for (const path of await filesBelow(mill, directory))
    if (ledger.at(path).every(state => state === undefined)) findings.push(`${path} is there; nobody wrote it, or it was removed`)
  return { compared, findings }
}

/** REQUIRES: no worker changes the path meanwhile. */
export async function lookAt(mill: Mill, path: string, options: { signal?: AbortSignal } = {}): Promise<Found> {
  try {
    return { bytes: await mill.readFile(path, options), replication: (await mill.stat(path, options)).replication }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function filesBelow(mill: Mill, directory: string): Promise<string[]> {
  const found: string[] = []
  for await (const { path, type } of mill.list(directory)) found.push(...type === 'directory' ? await filesBelow(mill, path) : [path])
  return found
}
