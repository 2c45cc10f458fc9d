-- Posts messages for wrk, each under a token of its own out of the file that the first argument names. The second is the
-- number of the first message, the third that of the recipients. Writes one line of JSON at the end.
local tokens, n, recipients = {}, 0, 1

function init(arguments)
  for line in io.lines(arguments[1]) do tokens[#tokens + 1] = line end
  n = tonumber(arguments[2])
  recipients = tonumber(arguments[3])
end

function request()
  n = n + 1
  local number = 2000000000 + (n * 7368787) % recipients
  local body = string.format('{"recipient":"+1%.0f","body":"Your code is %06d","sender":"+15005550006"}', number, n % 1000000)
  return "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer "
    .. tokens[n % #tokens + 1] .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('{"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"bad":%d}', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
