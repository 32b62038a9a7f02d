/** The levels of Constellation's log messages. */
export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARNING' | 'STATUS' | 'CRITICAL'

/** Where a transmitter, receiver or satellite writes what it does; none is imposed. */
export interface Logger {
  log(level: LogLevel, text: string): void
}
