// Resolves paths with the namenode. A path that ends with a slash names a directory, as in POSIX: ENOTDIR if it is a file.

import * as namespace from '../../src/protocol/namespace.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { checkNamed, namesDirectory, pathOf, type Path } from '../call/arguments.ts'
import type { CallMessage } from '../call/cluster.ts'

export async function statusOf(ask: CallMessage, path: Path, signal: AbortSignal | undefined): Promise<FileStatus> {
  const status = await ask(namespace.stat, { path: pathOf(path) }, signal)
  checkNamed(path, status)
  return status
}

/** Normal form of a path. For a path that ends with a slash, first checks that it is a directory. */
export async function placed(ask: CallMessage, path: Path, signal: AbortSignal | undefined, name?: string): Promise<string> {
  const normal = pathOf(path, name)
  if (namesDirectory(path)) await statusOf(ask, path, signal)
  return normal
}
