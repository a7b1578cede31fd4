# A laptop borrows a seat, leaves with it, works on its own, and gives it back before it is home again.

office 3 desktops 1 laptop seats 2 ttl 15s lending over wifi
> 3 voters, 1 standby, 0 spares
call Desk a voter

# The seat of the running program becomes the borrowed one: it is one seat still.
checkout eva@pc3 as a
> granted
borrow eva@pc3 for 1h
show seats

# It leaves. The program runs on without a word from the office, which gives away the other seat and not this one.
partition pc3
wait 40s
show a
checkout jan@Desk as b
checkout ola@Desk as c

# Its agent dies, and its clock is set back; the seat is there and lasts no longer.
kill pc3
clock pc3 -2h
start pc3
wait 5s
show a
end a
checkout eva@pc3 as d

# While it is used it cannot be given back; then it is given back here and now, and the office hears of it later.
return eva@pc3
end d
wait 1s
return eva@pc3
checkout eva@pc3 as e
show seats
heal
await 1 free within 20s
show seats
checkout ola@Desk as c

# A seat that is borrowed for a minute is used for a minute, whatever its machine's clock says.
end c
wait 1s
clock pc3 +2h
wait 10s
borrow eva@pc3 for 60s
checkout eva@pc3 as f
partition pc3
clock pc3 -2h
await f stops within 70s
show f
