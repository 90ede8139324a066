// Makes directories with their parents, level by level. Used instead of Node's `recursive`, which never returns where `mkdir` answers
// ENOENT below a parent that exists (/proc, some network filesystems): it makes the parent and tries again, without end, and its
// synchronous form keeps signals from being handled.
// An existing directory is no error, also if another process made it meanwhile. Throws the system's error of the first level that fails.

import fs from 'node:fs'
import path from 'node:path'

export async function makeDirectories(directory: string, mode: number): Promise<void> {
  // Mostly it exists: to look costs less than a call that fails, its error, and then a look.
  if (await isDirectory(directory)) return
  try {
    await makeLevel(directory, mode)
    return
  } catch (error) {
    if (!lacksParent(error, directory)) throw error
  }
  await makeDirectories(path.dirname(directory), mode)
  await makeLevel(directory, mode)
}

export function makeDirectoriesSync(directory: string, mode: number): void {
  try {
    makeLevelSync(directory, mode)
    return
  } catch (error) {
    if (!lacksParent(error, directory)) throw error
  }
  makeDirectoriesSync(path.dirname(directory), mode)
  makeLevelSync(directory, mode)
}

async function makeLevel(directory: string, mode: number): Promise<void> {
  try {
    await fs.promises.mkdir(directory, { mode })
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || !await isDirectory(directory)) throw error
  }
}

/** False if it cannot be found out: the error of mkdir is the one to report. */
function isDirectory(directory: string): Promise<boolean> {
  return new Promise(resolve => { fs.stat(directory, (error, found) => resolve(!error && found.isDirectory())) })
}

function makeLevelSync(directory: string, mode: number): void {
  try {
    fs.mkdirSync(directory, { mode })
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || !isDirectorySync(directory)) throw error
  }
}

function isDirectorySync(directory: string): boolean {
  try {
    return fs.statSync(directory).isDirectory()
  } catch {
    return false // as in isDirectory
  }
}

const lacksParent = (error: unknown, directory: string): boolean => codeOf(error) === 'ENOENT' && path.dirname(directory) !== directory

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException | null)?.code
