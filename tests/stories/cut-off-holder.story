# A holder that is cut off cannot extend anything: its program is told before anybody else may get the seat.

office 5 desktops seats 1 ttl 15s
> 3 voters, 2 standbys, 0 spares
call Old the holder
call Desk a standby
checkout eva@Old as a
> granted
partition Old
await holder besides Old within 2s
> yes
checkout jan@Desk as b
> refused: all 1 seats of example-cad are in use: eva on Old
show a
> uses a seat

# The device stops at its ttl less a margin; the new holder gives every seat a full ttl from its own beginning.
await a stops within 15s
> yes
show a
> has passed its deadline
show seats
> 1 of 1 taken in the books; used by nobody
checkout jan@Desk as b
> refused: all 1 seats of example-cad are in use: eva on Old
await 1 free within 5s
> yes
checkout jan@Desk as b
> granted

# Back again, the old holder is one voter like another.
heal
wait 3s
show seats
> 1 of 1 taken in the books; used by b
