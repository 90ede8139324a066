// Port: loading of a bundle as a module. A simulation keeps files in memory, and stops its clock while a module loads.

export interface Modules {
  /** URL of the file in stack traces. */
  urlOf(file: string): string
  /** Exports of the module. The same `instance` returns the same module, another one a fresh one. */
  load(file: string, instance: string): Promise<unknown>
}
