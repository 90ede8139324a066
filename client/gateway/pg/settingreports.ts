// Tells the client the new values of settings that it was told at the start of the session (ParameterStatus).

import type { PgSettings } from './settings.ts'
import { cstring, type MessageWriter } from './wire.ts'

interface ReportsDeps { readonly settings: Pick<PgSettings, 'reported'>; readonly writer: MessageWriter }

export class SettingReports {
  readonly #deps: ReportsDeps

  constructor(deps: ReportsDeps) { this.#deps = deps }

  /** Runs what may change settings. */
  async telling<T>(change: () => T | Promise<T>): Promise<T> {
    const { writer, settings } = this.#deps
    const before = new Map(settings.reported)
    const done = await change()
    for (const [name, value] of settings.reported)
      if (before.get(name) !== value) writer.add('S', cstring(name), cstring(value))
    return done
  }
}
