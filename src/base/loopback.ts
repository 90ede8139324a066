// Test for hosts that only processes of the same machine can reach, which decides whether a bearer token may be used.

/** Is this a host that only processes of the same machine can reach? Names other than `localhost` are not resolved: false. */
export const isLoopback = (host: string): boolean => /^127\.\d+\.\d+\.\d+$|^localhost$|^\[?::1\]?$/.test(host)
