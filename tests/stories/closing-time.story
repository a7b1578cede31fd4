# Closing time. Of twelve machines eight leave within one second, all other voters and standbys among them. The holder
# and three spares stay: three of the four are the voters now, and work goes on.

office 12 desktops seats 3 ttl 15s
> 5 voters, 2 standbys, 5 spares
await 5 voters within 20s
> yes
wait 5s
call Holder the holder
call Late a spare
call Later a spare
call Latest a spare
checkout eva@Late as a
> granted
stop all but Holder Late Later Latest within 1s
await 3 voters within 3s
> yes
ask jan@Later as b
await b has a seat within 1s
> yes
wait 20s
show a
> uses a seat
show seats
> 2 of 3 taken in the books; used by a, b

# Of 44 machines 40 leave within one second, the holder, all other voters and both standbys among them. Who they are
# becomes known only while they go; before the last of them is off, the four who stay keep the books.
office 44 desktops seats 3 ttl 15s
> 5 voters, 2 standbys, 37 spares
await 5 voters within 20s
> yes
wait 5s
call Late a spare
call Later a spare
call Latest a spare
call Last a spare
checkout eva@Late as a
> granted
stop all but Late Later Latest Last within 1s
wait 3s
checkout jan@Last as b within 1s
> granted
wait 20s
show a
> uses a seat
show b
> uses a seat

# In the morning the others are switched on again.
start all
await 5 voters within 20s
> yes
show seats
> 2 of 3 taken in the books; used by a, b
