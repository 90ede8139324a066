// Finds the browser that the console is tested in: the one that CHROMIUM names, or one that a package of the system has installed.

import { existsSync } from 'node:fs'

/** Debian's package, Ubuntu's, Google's. */
const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'] as const

/** Path of a browser; undefined if there is none. Throws if CHROMIUM names a file that does not exist. */
export function findBrowser(env: Readonly<Record<string, string | undefined>>, exists: (path: string) => boolean = existsSync) {
  const { CHROMIUM: named = '' } = env
  if (named !== '' && !exists(named)) throw new Error(`CHROMIUM is ${named}, and there is no such file`)
  return named === '' ? places.find(exists) : named
}
