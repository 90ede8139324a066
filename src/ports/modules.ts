// How a bundle on this machine becomes code in this process. A simulation has files that are nowhere, and stops its clock meanwhile.

export interface Modules {
  /** What stack traces call the code of this file. */
  urlOf(file: string): string
  /** The module's exports. The same `instance` gives the same module, another one a fresh one. */
  load(file: string, instance: string): Promise<unknown>
}
