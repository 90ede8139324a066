// Command that adds packages beside this one, for messages about packages that only some users need. A global installation finds only
// other global ones.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `from`: a file of this package. */
export function installing(packages: string, from = fileURLToPath(import.meta.url)): string {
  const project = /^(.*?)[\\/]node_modules[\\/]/.exec(from)?.[1]
  const isGlobal = project !== undefined && !existsSync(join(project, 'package.json'))
  return `npm install ${isGlobal ? '--global ' : ''}${packages}`
}
