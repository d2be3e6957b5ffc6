-- One mixed load for wrk: each kind of application of soak.wsgi, in two interpreters.
local body = string.rep("x", 20000)
local kinds = { "listed", "generated", "written", "large", "echoed", "file", "logged", "raised" }
local count = 0

request = function()
   count = count + 1
   local kind = kinds[count % #kinds + 1]
   local mount = count % 3 == 0 and "/other/" or "/soak/"
   return wrk.format(kind == "echoed" and "POST" or "GET", mount .. kind, nil,
                     kind == "echoed" and body or nil)
end
