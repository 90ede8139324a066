// Files of the installed package that commands show or copy: pages of the docs, and examples. Their place is the same in a checkout and in
// an installed package.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const packageRoot = fileURLToPath(new URL('../../', import.meta.url))

export async function packageFile(path: string): Promise<Buffer> {
  const { localDisk } = await import('../../src/world/disk.ts')
  return localDisk.readFile(join(packageRoot, path))
}

export async function isInPackage(path: string): Promise<boolean> {
  const { localDisk } = await import('../../src/world/disk.ts')
  return await localDisk.stat(join(packageRoot, path)) !== undefined
}

/** False for an installed package, and for one that `npm run build` has made. */
export const isCheckout = (): Promise<boolean> => isInPackage('client/cli/main.ts')
