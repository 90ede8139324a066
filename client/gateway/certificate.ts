// Certificate and key of a gateway, in files that may be replaced while it runs: connections that begin later get the new ones. Files that
// do not go together, or cannot be read, for instance while only one of the two is written, leave the last good ones in use.

import { GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'

interface KeyPair { readonly cert: Buffer; readonly key: Buffer }

interface CertificateDeps {
  readonly disk: Pick<Disk, 'readFile'>
  readonly clock: Pick<Clock, 'after'>
  readonly log: Pick<Log, 'info' | 'error'>
  /** Throws for a certificate and a key that cannot serve TLS together. */
  readonly check: (pair: KeyPair) => void
}

interface CertificateFiles {
  /** PEM, with the certificates of the authorities between it and the root behind it. */
  readonly cert: string
  /** PEM, without a password. */
  readonly key: string
}

/** Time between two looks at the files. */
const everyMs = 5_000

export class Certificate {
  readonly #deps: CertificateDeps
  readonly #files: CertificateFiles
  readonly #uses: ((pair: KeyPair) => void)[] = []
  #pair!: KeyPair
  #fault = ''
  #cancel = (): void => {}
  #stopped = false

  /** Throws CONFIG_INVALID. */
  static async open(deps: CertificateDeps, files: CertificateFiles): Promise<Certificate> {
    const certificate = new Certificate(deps, files)
    try {
      certificate.#pair = await certificate.#read()
    } catch (error) {
      throw new GristmillError(
        'CONFIG_INVALID',
        `the certificate ${files.cert} (--tls-cert) and the key ${files.key} (--tls-key) cannot be used: ${(error as Error).message}; both are PEM files, the key without a password`,
        { cause: error },
      )
    }
    certificate.#later()
    return certificate
  }

  private constructor(deps: CertificateDeps, files: CertificateFiles) {
    this.#deps = deps
    this.#files = files
  }

  /** Calls `use` now, and with each pair that replaces the last one. */
  follow(use: (pair: KeyPair) => void): void {
    this.#uses.push(use)
    use(this.#pair)
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  async #read(): Promise<KeyPair> {
    const { disk } = this.#deps
    const [cert, key] = [await disk.readFile(this.#files.cert), await disk.readFile(this.#files.key)]
    this.#deps.check({ cert, key })
    return { cert, key }
  }

  #later(): void {
    if (!this.#stopped) this.#cancel = this.#deps.clock.after(everyMs, () => void this.#look().finally(() => this.#later()))
  }

  async #look(): Promise<void> {
    const { log } = this.#deps
    try {
      const pair = await this.#read()
      this.#fault = ''
      if (pair.cert.equals(this.#pair.cert) && pair.key.equals(this.#pair.key)) return
      this.#pair = pair
      for (const use of this.#uses) use(pair)
      log.info('the certificate was replaced', { file: this.#files.cert })
    } catch (error) {
      const fault = (error as Error).message
      if (fault !== this.#fault) log.error('the certificate cannot be read; the last one stays in use', { error, file: this.#files.cert })
      this.#fault = fault
    }
  }
}
