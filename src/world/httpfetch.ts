// The real HttpFetch: the `fetch` of undici, whose pool of connections belongs to the process. Bodies are read as they come. That of Node
// is an earlier version, in which a server that ends a body while its reader pauses ends the process.

import type { HttpFetch } from '../ports/httpfetch.ts'

export const httpFetch: HttpFetch = async ({ method, url, headers = {}, body, signal }) => {
  const { fetch } = await import('undici')
  const reply = await fetch(url, {
    // Encoded bodies would be decoded here, and have another length than the server says.
    method, headers: { 'accept-encoding': 'identity', ...headers }, redirect: 'manual',
    ...body && { body: body as Uint8Array<ArrayBuffer> }, ...signal && { signal },
  })
  return {
    status: reply.status, headers: Object.fromEntries(reply.headers), body: reply.body ?? none(),
    discard: async () => { await reply.body?.cancel().catch(() => {}) },
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}
