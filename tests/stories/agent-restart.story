# The agent dies and comes back. A program under `run` has its seat again and was never disturbed.

office 3 desktops seats 2 ttl 15s over wifi
> 3 voters, 0 standbys, 0 spares
call Desk a voter
checkout eva@Desk as a
> granted
checkout jan@Desk as b by connection
> granted
kill Desk
wait 5s
show a
> uses a seat until the deadline that it knows
show b
> has ended
start Desk
wait 3s
show a
> uses a seat
show seats
> 2 of 2 taken in the books; used by a

# So it is after a graceful stop, as in an update.
stop Desk
await Desk stopped within 5s
> yes
show a
> uses a seat until the deadline that it knows
start Desk
wait 20s
show a
> uses a seat

# Not in time: the program keeps to the deadline that it knows, and the seat is somebody else's after its ttl.
kill Desk
await a stops within 15s
> yes
show a
> has passed its deadline
await 2 free within 10s
> yes
