// Places of requests as a rule: who ends for whom, and who is refused.

import { expect, test } from 'vitest'
import { RequestPlaces, type PlacedRequest } from '../../../../client/gateway/places.ts'

class Request implements PlacedRequest {
  readonly name: string
  awaitsClient: boolean
  ended: string | undefined
  constructor(name: string, awaitsClient = false) { this.name = name; this.awaitsClient = awaitsClient }
  abort({ code }: { code: string }): void { this.ended = code }
}

const refused = expect.objectContaining({ code: 'OVERLOADED' })

/** A request whose user has been asked for. */
function settled(places: RequestPlaces<Request>, name: string, isKnown: boolean): Request {
  const request = new Request(name)
  places.enter(request)
  places.settle(request, isKnown)
  return request
}

test('among requests whose users are not known yet, the oldest that waits for its client ends for a new one', () => {
  const places = new RequestPlaces<Request>(2)
  const [working, slow, next] = [new Request('working'), new Request('slow', true), new Request('next')]
  for (const each of [working, slow, next]) places.enter(each)
  expect([working, slow, next].map(each => each.ended)).toEqual([undefined, 'OVERLOADED', undefined])
  // What waits for the gateway itself is bounded.
  expect(() => places.enter(new Request('more'))).toThrow(refused)
  places.leave(slow)
  places.leave(next)
  places.leave(next)
  places.enter(new Request('more'))
  expect(places.taken).toEqual({ arriving: 2, anonymous: 0, known: 0 })
})

test('requests without a user take no place of known users: an anonymous one ends for them, and is refused where they have all', () => {
  const places = new RequestPlaces<Request>(2)
  const anonymous = [settled(places, 'a', false), settled(places, 'b', false)]
  expect(() => settled(places, 'c', false)).toThrow(refused)
  const ada = settled(places, 'ada', true)
  expect(anonymous.map(each => each.ended)).toEqual(['OVERLOADED', undefined])
  settled(places, 'bob', true)
  expect(anonymous.map(each => each.ended)).toEqual(['OVERLOADED', 'OVERLOADED'])
  expect(() => settled(places, 'eve', true)).toThrow(refused)
  expect(() => settled(places, 'd', false)).toThrow(refused)
  expect(ada.ended).toBeUndefined()
  places.leave(ada)
  settled(places, 'eve', true)
  expect(places.taken).toEqual({ arriving: 0, anonymous: 0, known: 2 })
})
