-- Posts calls for wrk. The first argument names the file that calls.ts writes: the body in the first line, in the second the
-- beginnings of numbers and how many digits follow, then the headers of each call in a line. The second is the number of the first call. Writes one line of JSON at the end.
local template, beginnings, headers, n = nil, {}, {}, 0
function init(arguments)
  for line in io.lines(arguments[1]) do
    if #beginnings > 0 then
      headers[#headers + 1] = line
    elseif template then
      for digits, rest in line:gmatch("(%d+) (%d+)") do beginnings[#beginnings + 1] = {digits, tonumber(rest)} end
    else
      template = line
    end
  end
  n = tonumber(arguments[2])
end

function request()
  local digits, rest = unpack(beginnings[n % #beginnings + 1])
  local number = digits .. string.format("%0" .. rest .. "d", (n * 7368787) % 10 ^ rest)
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
