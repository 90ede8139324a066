// Files of the page: built ahead into `assets` of an installed package (test/tidy/build.ts), and from the sources in a checkout, when a
// console is first served there. Held in memory, under names that change with their contents.

import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { Disk } from '../../src/ports/disk.ts'
import type { BuiltPage } from './bundle.ts'

interface PageFile { readonly type: string; readonly bytes: Uint8Array }

export interface PageFiles {
  /** The one HTML page: its script shows the page of the URL. */
  readonly page: PageFile
  /** By path: `/assets/console-1f2e3d4c.js`. */
  readonly files: ReadonlyMap<string, PageFile>
}

/** Names of the built files. */
export const built = { script: 'console.js', styles: 'console.css' } as const

export async function loadAssets(disk: Pick<Disk, 'readFile' | 'stat'>): Promise<PageFiles> {
  const dir = fileURLToPath(new URL('assets', import.meta.url))
  const found = await fromPackage(disk, dir)
  if (found) return assetsOf(found)
  const { bundlePage } = await import('./bundle.ts')
  return assetsOf(await bundlePage(fileURLToPath(new URL('page', import.meta.url))))
}

async function fromPackage(disk: Pick<Disk, 'readFile' | 'stat'>, dir: string): Promise<BuiltPage | undefined> {
  if (!await disk.stat(`${dir}/${built.script}`)) return undefined
  const [script, styles] = await Promise.all([disk.readFile(`${dir}/${built.script}`), disk.readFile(`${dir}/${built.styles}`)])
  return { script, styles }
}

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f6f5c"/>
<g fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round"><circle cx="16" cy="16" r="9"/><circle cx="16" cy="16" r="2.2" fill="#fff"/>
<path d="M16 7c3 2 4 4 3.600 6.400M23.800 20.500c-3.300 1.600-5.600 1.400-7.400-.2M8.200 20.500c.3-3.700 1.700-5.600 4-6.200"/></g></svg>`

function assetsOf({ script, styles }: BuiltPage): PageFiles {
  const files = new Map<string, PageFile>()
  const add = (name: string, ending: string, type: string, bytes: Uint8Array): string => {
    const path = `/assets/${name}-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}.${ending}`
    files.set(path, { type, bytes })
    return path
  }
  const scriptPath = add('console', 'js', 'text/javascript; charset=utf-8', script)
  const stylesPath = add('console', 'css', 'text/css; charset=utf-8', styles)
  const iconPath = add('icon', 'svg', 'image/svg+xml', Buffer.from(icon))
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>gristmill</title>
<link rel="icon" href="${iconPath}">
<link rel="stylesheet" href="${stylesPath}">
<script type="module" src="${scriptPath}"></script>
</head>
<body><div id="app"></div><noscript>The console of gristmill needs JavaScript.</noscript></body>
</html>
`
  return { page: { type: 'text/html; charset=utf-8', bytes: Buffer.from(html) }, files }
}
