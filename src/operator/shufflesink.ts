// Sink of a stage that ends in a shuffle: records are sorted, combined if the program has a combine function, and written as a map
// output on this machine.

import type { Emit, Key } from '../base/pair.ts'
import type { MapOutput, MapOutputResult } from '../shuffle/mapoutput.ts'
import { isDiskError, SinkFailed, type Sink } from './operator.ts'

export class ShuffleSink implements Sink<MapOutputResult> {
  readonly emit: Emit<Key, unknown>
  readonly #output: MapOutput
  #records = 0
  #finished = false
  #failure: SinkFailed | undefined

  /** Takes ownership of the output. */
  constructor(output: MapOutput) {
    this.#output = output
    this.emit = (key, value) => this.#take(key, value)
  }

  get records(): number { return this.#records }
  get isUnsettled(): boolean { return this.#failure !== undefined }

  #take(key: Key, value: unknown): void {
    if (this.#finished) throw new Error('emit was called when the task had ended; await what the function starts')
    try {
      this.#output.emit(key, value)
      this.#records++
    } catch (error) {
      if (!isDiskError(error)) throw error
      throw (this.#failure ??= new SinkFailed(`emitted records could not be spilled to this machine's disk: ${(error as Error).message}`, {
        cause: error,
      }))
    }
  }

  /** Only reports an earlier failure: spills are written by `emit` itself. */
  settle(): undefined {
    if (this.#failure) throw this.#failure
    return undefined
  }

  async finish(): Promise<MapOutputResult> {
    this.settle()
    this.#finished = true
    return this.#output.finish()
  }

  async discard(): Promise<void> {
    this.#finished = true
    await this.#output.discard()
  }
}
