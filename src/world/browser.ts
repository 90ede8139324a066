// Opens a link in the browser of this user, if there is a screen.
// INVARIANT: the link is on no command line, where other users of the machine could read it: the browser gets a file that leads to it.

import { spawn } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import type { Disk } from '../ports/disk.ts'

interface BrowserDeps { readonly disk: Disk; readonly environment: Readonly<Record<string, string | undefined>> }

function openerOf(environment: BrowserDeps['environment']): string | undefined {
  if (process.platform === 'darwin') return 'open'
  return environment['DISPLAY'] || environment['WAYLAND_DISPLAY'] ? 'xdg-open' : undefined
}

/** Returns a function that removes the file. A browser that does not open is no error: the link is printed as well. */
export async function openBrowser({ disk, environment }: BrowserDeps, link: string, home: string): Promise<() => Promise<void>> {
  const opener = openerOf(environment)
  if (opener === undefined) return async () => {}
  const file = `${home}/console-${process.pid}.html`
  const html = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${link}"><a href="${link}">console</a>\n`
  await disk.mkdir(home)
  await disk.writeFileDurable(file, Buffer.from(html), { mode: 0o600 })
  const child = spawn(opener, [pathToFileURL(file).href], { stdio: 'ignore', detached: true })
  child.once('error', () => {})
  child.unref()
  return () => disk.remove(file)
}
