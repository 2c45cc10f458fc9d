-- Posts calls for wrk. The first argument names the file that calls.ts writes: the body in the first line, the headers
-- of each call in one of its own. The second is the number of the first call. Writes one line of JSON at the end.
local template, headers, n = nil, {}, 0
-- Numbers that exist, each once: area codes of the United States, and a local number from 200-0000 on.
local areas = {
  201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229,
  231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 281, 301, 302, 303, 304, 305, 307,
}

function init(arguments)
  for line in io.lines(arguments[1]) do
    if template then headers[#headers + 1] = line else template = line end
  end
  n = tonumber(arguments[2])
end

function request()
  local number = string.format("%d%d", areas[n % #areas + 1], 2000000 + (n * 736877) % 7999993)
  local body = template:gsub("@number", number):gsub("@code", string.format("%06d", n % 1000000))
  local head = headers[n % #headers + 1]:gsub("|", "\r\n")
  n = n + 1
  local first = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
  return first .. head .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('{"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"bad":%d}', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
