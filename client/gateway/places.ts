// Places of the requests that a listener works on. A request arrives without a user, and the dialect then says whose it is.
// INVARIANT: at most `max` requests whose users have been asked for are worked on, and at most `max` more whose users are not known yet; a
// request without a known user never takes the place of one with. At the bound an anonymous request ends for one of a known user, and a
// request that keeps the gateway waiting before its user is known ends for the next one that arrives.

import { GristmillError } from '../../src/base/errors.ts'

/** A request as its places see it. */
export interface PlacedRequest {
  /** It waits for bytes of its client. */
  readonly awaitsClient: boolean
  /** Ends the work for it. */
  abort(why: GristmillError): void
}

export class RequestPlaces<T extends PlacedRequest = PlacedRequest> {
  readonly #max: number
  /** Users not known yet; oldest first, as in the other sets. */
  readonly #arriving = new Set<T>()
  readonly #anonymous = new Set<T>()
  readonly #known = new Set<T>()

  constructor(max: number) { this.#max = max }

  /** Requests that have a place, of each kind. */
  get taken(): { readonly arriving: number; readonly anonymous: number; readonly known: number } {
    return { arriving: this.#arriving.size, anonymous: this.#anonymous.size, known: this.#known.size }
  }

  /** Called once for each request, before any work for it. Throws OVERLOADED. */
  enter(request: T): void {
    if (this.#arriving.size >= this.#max && !this.#end(this.#arriving, ({ awaitsClient }) => awaitsClient)) throw this.#full()
    this.#arriving.add(request)
  }

  /** Called once it is known whose request it is. Throws OVERLOADED. REQUIRES: it has entered, and was not ended. */
  settle(request: T, isKnown: boolean): void {
    this.#arriving.delete(request)
    if (this.#anonymous.size + this.#known.size >= this.#max && !(isKnown && this.#end(this.#anonymous, () => true))) throw this.#full()
    const places = isKnown ? this.#known : this.#anonymous
    places.add(request)
  }

  /** May be called again. */
  leave(request: T): void {
    for (const places of [this.#arriving, this.#anonymous, this.#known]) places.delete(request)
  }

  /** Ends the oldest of these requests. False: there is none. */
  #end(places: Set<T>, may: (request: T) => boolean): boolean {
    for (const request of places) {
      if (!may(request)) continue
      places.delete(request)
      request.abort(new GristmillError(
        'OVERLOADED', 'this gateway ended the request, which has no known user, in favour of others; send it again later, or signed',
      ))
      return true
    }
    return false
  }

  #full(): GristmillError {
    return new GristmillError(
      'OVERLOADED', `this gateway works on ${this.#max} requests already; try again in a moment, or ask another gateway`,
    )
  }
}
