-- The two applications of the work spin take turns.
local count = 0

request = function()
    count = count + 1
    return wrk.format("GET", count % 2 == 0 and "/spin-a" or "/spin-b")
end
