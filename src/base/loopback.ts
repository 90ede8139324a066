// Test for hosts that only processes of the same machine can reach, which decides whether a bearer token may be used.

/** Is this a host that only processes of the same machine can reach? Names other than `localhost` are not resolved: false. */
export const isLoopback = (host: string): boolean => /^127\.\d+\.\d+\.\d+$|^localhost$|^\[?::1\]?$/.test(host)

/**
 * Host of a request's Host header that is not this machine's own name: a web page elsewhere may have had its name lead here. undefined
 * without a header, which browsers always send.
 */
export function foreignHost(header: string | undefined): string | undefined {
  const host = header?.replace(/:\d+$/, '')
  return host !== undefined && !isLoopback(host) ? host : undefined
}
