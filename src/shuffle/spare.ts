// Arena that a process keeps from one map output to the next: pages of memory that are used for the first time cost 80 ns for a record of
// 100 bytes, as much as writing its texts.

import { Arena, type ArenaOptions } from './arena.ts'

export class SpareArena {
  #arena: Arena | undefined

  /** An empty arena, which is the caller's until `give`. One that has had more than `bytesMax` in it is not kept for this. */
  take(options: ArenaOptions, bytesMax: number): Arena {
    const kept = this.#arena
    const arena = kept && kept.mostBytes <= bytesMax ? kept : new Arena(options)
    this.#arena = undefined
    arena.begin(options)
    return arena
  }

  /** REQUIRES: the caller does not use the arena again. */
  give(arena: Arena): void { this.#arena = arena }

  /** Leaves the memory to other uses. */
  drop(): void { this.#arena = undefined }
}
