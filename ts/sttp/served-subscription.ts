/** What serves one client's subscription: a place among those who get what is published now, or a history of its own. */
export interface ServedSubscription {
  /** Signals that it has. */
  readonly signals: number
  /** Bytes that are kept for it and are not in the connection's outbox. */
  readonly heldBytes: number
  /** Sends its signal index cache; `answer` says the command's success behind it. */
  start(answer: () => void): void
  /** The client has confirmed a signal index cache. */
  confirm(): void
  /** The client asks for another speed, ms between frames; `false` where there is none to change. */
  changeInterval(interval: number): boolean
  /** The client asks for something else, or is gone. */
  stop(): void
}
