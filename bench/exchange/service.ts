/** The service of the benchmark: takes a record in, and answers with it. PORT */
import { createServer } from 'node:http'

const port = Number(process.argv[2])
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    response.end(body)
  })
})
server.keepAliveTimeout = 60_000
server.listen(port, '127.0.0.1', () => console.log('{"msg":"service ready"}'))
process.on('SIGTERM', () => process.exit(0))
