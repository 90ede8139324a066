// Actors of operations, by user name. The name is all that is known of a user; only the superuser is not bound by permissions.

import type { Actor } from './operation.ts'

/** Names of users that are remembered: callers choose them, so their number is bounded. */
const knownMax = 10_000

export function actors(superuser: string): (user: string) => Actor {
  const known = new Map<string, Actor>()
  return name => {
    const found = known.get(name)
    if (found) return found
    if (known.size > knownMax) known.clear()
    const actor = Object.freeze({ user: name, root: name === superuser })
    known.set(name, actor)
    return actor
  }
}
