// Paths and addresses of WebHDFS requests: `/webhdfs/v1` and a path in percent-encoded UTF-8, in which a plus is a plus. The address of the
// second step of a redirected request is that of the request itself with `data=true`: it stays valid for seeks and repeated appends, and
// its host is the one that the client has reached.

import { cutAt } from '../../../src/base/cut.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { checkPath } from '../../../src/base/paths.ts'
import { RemoteException } from './errors.ts'

const prefix = '/webhdfs/v1'

interface Target { readonly rawPath: string; readonly query: string }

/** Divides a request's target; undefined if it is not one of WebHDFS. */
export function targetOf(target: string): Target | undefined {
  // A proxy, and HTTP/1.0 clients of proxies, may send an absolute address.
  const local = target.replace(/^https?:\/\/[^/?]*/i, '')
  const [path, query = ''] = cutAt(local, '?')
  if (path !== prefix && !path.startsWith(`${prefix}/`)) return undefined
  return { rawPath: path.slice(prefix.length) || '/', query }
}

/** The path in the cluster that a request, or one of its parameters, names. Throws RemoteException. */
export function clusterPath(path: string): string {
  const names = path.split('/').filter(name => name !== '')
  const odd = names.find(name => name === '.' || name === '..')
  if (odd !== undefined || path.includes('\0') || !path.isWellFormed())
    throw new RemoteException('InvalidPathException',
      `Invalid path name ${path.replaceAll('\0', '\\0')}: it has a part that is no name of a file`)
  const normal = `/${names.join('/')}`
  try {
    checkPath(normal)
  } catch (error) {
    throw new RemoteException(
      (error as GristmillError).code === 'ENAMETOOLONG' ? 'PathComponentTooLongException' : 'InvalidPathException',
      (error as Error).message,
      { cause: error },
    )
  }
  return normal
}

export function decodedPath(rawPath: string): string {
  let path: string
  try {
    path = decodeURIComponent(rawPath)
  } catch (error) {
    throw new RemoteException('InvalidPathException', 'the path of the request is not percent-encoded UTF-8', { cause: error })
  }
  return clusterPath(path)
}

/** `origin`: scheme and host as the client sees them. */
export function secondStep(origin: string, { rawPath, query }: Target): string {
  const kept = query.split('&').filter(part => part !== '' && !/^(?:noredirect|data)(?:=|$)/i.test(part))
  return `${origin}${prefix}${rawPath}?${[...kept, 'data=true'].join('&')}`
}
