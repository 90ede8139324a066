// Calls of the page to its own server, with the types of the protocol. A lost session shows the login page.

import { signal } from '@preact/signals'
import type { CallName, CallReply, CallRequest } from '../calls.ts'
import type { SessionInfo } from '../console.ts'
import type { Answers } from '../questions.ts'

type SessionState =
  | { readonly state: 'opening' } | { readonly state: 'out'; readonly why?: string } | { readonly state: 'in'; readonly info: SessionInfo }

export const session = signal<SessionState>({ state: 'opening' })

/** An error that the server has told, or `OFFLINE` if it cannot be reached. */
export class CallError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const offline = 'the console does not answer: the process that serves it has ended, or the network is down'

async function send(url: string, init: RequestInit = {}): Promise<Response> {
  const current = session.value
  const token = current.state === 'in' ? current.info.token : ''
  let response: Response
  try {
    response = await fetch(url, { ...init, headers: { ...init.headers, 'x-gristmill-token': token }, credentials: 'same-origin' })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new CallError('OFFLINE', offline)
  }
  if (response.ok) return response
  const body = await response.json().catch(() => undefined) as { error?: { code: string; message: string } } | undefined
  const { code, message } = body?.error ?? { code: 'OFFLINE', message: offline }
  if (code === 'UNAUTHENTICATED' && session.value.state === 'in') session.value = { state: 'out', why: message }
  throw new CallError(code, message)
}

export async function call<Name extends CallName>(
  name: Name, request: CallRequest<Name>, signal?: AbortSignal,
): Promise<CallReply<Name>> {
  return await (await post(`/api/call/${name}`, request, signal ?? new AbortController().signal)).json() as CallReply<Name>
}

/** A request with a body, whose answer may be a stream. */
export const post = (url: string, body: object, signal: AbortSignal): Promise<Response> =>
  send(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, signal })

export const fetchJson = async <T>(url: string, signal: AbortSignal): Promise<T> => await (await send(url, { signal })).json() as T

/** Answers of the server to questions that it asks the library. */
export const askFor = <Name extends keyof Answers>(
  name: Name, parameters: Readonly<Record<string, string>>, signal: AbortSignal,
): Promise<Answers[Name]> => fetchJson(`/api/ask/${name}?${new URLSearchParams(parameters).toString()}`, signal)

export const fetchBytes = async (url: string, signal: AbortSignal): Promise<Uint8Array> =>
  new Uint8Array(await (await send(url, { signal })).arrayBuffer())

/** A text, piece by piece as it comes. */
export async function followText(url: string, signal: AbortSignal, take: (piece: string) => void): Promise<void> {
  const { body } = await send(url, { signal })
  const reader = body!.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    take(value)
  }
}

/** Starts a job again; the new one's id. */
export async function rerun(job: string, latest: boolean): Promise<string> {
  const response = await post(`/api/rerun/${job}?latest=${latest}`, {}, new AbortController().signal)
  return (await response.json() as { job: string }).job
}

/** Makes an access key of a user. Its secret cannot be asked for again. */
export async function makeKey(name: string): Promise<{ readonly id: string; readonly secret: string }> {
  const response = await post('/api/key', { name }, new AbortController().signal)
  return await response.json() as { id: string; secret: string }
}

export const contentUrl = (path: string, as: 'download' | 'head' | 'image'): string =>
  `/api/content?as=${as}&path=${encodeURIComponent(path)}`

/** XMLHttpRequest tells how much has been sent, which fetch does not. */
export function upload(path: string, file: File, { overwrite, onSent, signal }: {
  readonly overwrite: boolean; readonly onSent: (bytes: number) => void; readonly signal: AbortSignal
}): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('PUT', `/api/content?path=${encodeURIComponent(path)}&overwrite=${overwrite}`)
    const current = session.value
    request.setRequestHeader('x-gristmill-token', current.state === 'in' ? current.info.token : '')
    request.setRequestHeader('content-type', 'application/octet-stream')
    request.upload.onprogress = ({ loaded }) => onSent(loaded)
    request.onerror = () => reject(new CallError('OFFLINE', offline))
    request.onabort = () => reject(new CallError('ABORTED', 'the upload was cancelled; nothing was stored'))
    request.onload = () => {
      if (request.status === 200) return resolve()
      const { error } = JSON.parse(request.responseText || '{}') as { error?: { code: string; message: string } }
      reject(new CallError(error?.code ?? 'OFFLINE', error?.message ?? offline))
    }
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file)
  })
}

/** Takes the login link of the address, if there is one, and learns the session. The link leaves the address before it is used. */
export async function openSession(): Promise<void> {
  const link = location.pathname === '/login' ? location.hash.slice(1) : ''
  try {
    if (link === '') {
      session.value = { state: 'in', info: await fetchJson<SessionInfo>('/api/session', new AbortController().signal) }
      return
    }
    history.replaceState(undefined, '', '/login')
    const headers = { 'content-type': 'application/json' }
    const response = await send('/api/login', { method: 'POST', body: JSON.stringify({ link }), headers })
    session.value = { state: 'in', info: await response.json() as SessionInfo }
    history.replaceState(undefined, '', '/')
    dispatchEvent(new PopStateEvent('popstate'))
  } catch (error) {
    const expected = link === '' && (error as CallError).code === 'UNAUTHENTICATED'
    session.value = { state: 'out', ...!expected && { why: (error as Error).message } }
  }
}

/** A link that is pasted into the address of the login page changes what stands behind its `#` only, and the browser loads nothing. */
export function followLogin(): void {
  addEventListener('hashchange', () => { if (location.pathname === '/login' && location.hash !== '') void openSession() })
}

export async function logout(): Promise<void> {
  await send('/api/logout', { method: 'POST' }).catch(() => undefined)
  session.value = { state: 'out', why: 'You have logged out.' }
}
