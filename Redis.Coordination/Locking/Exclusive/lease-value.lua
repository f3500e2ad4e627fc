-- The value of a lease is OWNER:TOKEN, so that an owner whose reply was lost finds its fencing token again.
local function held_by(value, owner) return value and string.sub(value, 1, #owner + 1) == owner .. ':' end
