# A laptop borrows a seat, leaves with it, works on its own, and gives it back before it is home again.

office 3 desktops 1 laptop seats 2 ttl 15s lending over wifi
> 3 voters, 1 standby, 0 spares
call Desk a voter

# The seat of the running program becomes the borrowed one: it is one seat still.
checkout eva@pc3 as a
> granted
borrow eva@pc3 for 1h
> borrowed
show seats
> 1 of 2 taken in the books, 1 of them borrowed; used by a

# It leaves. The program runs on without a word from the office, which gives away the other seat and not this one.
partition pc3
wait 40s
show a
> uses a seat
checkout jan@Desk as b
> granted
checkout ola@Desk as c
> refused: all 2 seats of example-cad are in use: eva on pc3, jan on Desk

# Its agent dies, and its clock is set back; the seat is there and lasts no longer.
kill pc3
clock pc3 -2h
start pc3
wait 5s
show a
> uses a seat
end a
checkout eva@pc3 as d
> granted

# While it is used it cannot be given back; then it is given back here and now, and the office hears of it later.
return eva@pc3
> refused: a program uses the borrowed seat of example-cad
end d
wait 1s
return eva@pc3
> returned; the site hears of it later
checkout eva@pc3 as e
> refused: no machine of the site can answer now
show seats
> 2 of 2 taken in the books, 1 of them borrowed; used by b
heal
await 1 free within 20s
> yes
show seats
> 1 of 2 taken in the books; used by b
checkout ola@Desk as c
> granted

# A seat that is borrowed for a minute is used for a minute, whatever its machine's clock says.
end c
wait 1s
clock pc3 +2h
wait 10s
borrow eva@pc3 for 60s
> borrowed
checkout eva@pc3 as f
> granted
partition pc3
clock pc3 -2h
await f stops within 70s
> yes
show f
> has passed its deadline
