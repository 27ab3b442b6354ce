// A CoAP client for the tests, made of node-coap: takes requests on standard input, one a line,
// and prints an answer for each. tests/functional/interop.py says how the lines look.
'use strict'

const coap = require('coap')
const readline = require('readline')

function number (field) {
  return field === '-' ? undefined : Number(field)
}

function shown (value) {
  return value === undefined ? '-' : String(value)
}

function maxAge (response) {
  const sent = response._packet.options.some(option => option.name === 'Max-Age')
  return sent ? response.headers['Max-Age'] : undefined
}

function contentFormat (response) {
  const numbers = { 'application/link-format': 40, 'application/json': 50, 'application/cbor': 60 }
  return numbers[response.headers['Content-Format']]
}

function ask (line) {
  const [id, method, type, url, format, accept, option, blockBytes, body] = line.split(' ')
  const { hostname, port, pathname } = new URL(url)
  const host = hostname.replace(/[[\]]/g, '')
  // An agent of its own, that is, a port of its own for each request, as `coap-client` has.
  const agent = new coap.Agent({ type: host.includes(':') ? 'udp6' : 'udp4' })
  const request = coap.request({
    agent, hostname: host, port: Number(port), pathname, method, confirmable: type === 'CON'
  })
  if (format !== '-') request.setOption('Content-Format', number(format))
  if (accept !== '-') request.setOption('Accept', number(accept))
  if (option !== '-') request.setOption(option, Buffer.from('x'))
  if (blockBytes !== '-') {
    request.setOption('Block1', Buffer.from([Math.log2(number(blockBytes)) - 4]))
  }
  request.on('response', response => {
    const fields = [id, response.code, contentFormat(response), maxAge(response)].map(shown)
    console.log([...fields, response.payload.toString('hex') || '-'].join(' '))
  })
  request.on('error', error => console.log(`${id} ${error.message}`))
  request.on('timeout', () => console.log(`${id} no answer in time`))
  request.end(Buffer.from(body === '-' ? '' : body, 'hex'))
}

readline.createInterface({ input: process.stdin })
  .on('line', ask)
  // An answer is told before its acknowledgement is sent.
  .on('close', () => setTimeout(() => process.exit(0), 200))
