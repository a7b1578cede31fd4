# A machine that is about to sleep tells its agent, and waits. The holder hands over first; its program's seat is given
# away after its ttl. When it wakes it serves nobody by what it was, and its program has a seat again if one is free.

office 5 desktops seats 2 ttl 15s over wifi
> 3 voters, 2 standbys, 0 spares
call Old the holder
call Desk a standby
checkout eva@Old as a
> granted
checkout jan@Desk as b
> granted
sleep Old for 2h
await holder besides Old within 1s
> yes
await Old not voter within 3s
> yes
await 1 free within 20s
> yes
show seats
> 1 of 2 taken in the books; used by b
show b
> uses a seat

# Hours later. The others have slept for most of them, too, and were told nothing.
suspend all but Old for 118min
wait 119min
show Old
> standby, asleep
show seats
> 1 of 2 taken in the books; used by b
wait 2min
show a
> uses a seat
show seats
> 2 of 2 taken in the books; used by a, b
await Old standby within 10s
> yes

# Somebody else has taken the seat meanwhile.
office 3 desktops seats 1 ttl 15s over wifi
> 3 voters, 0 standbys, 0 spares
call Old the holder
call Desk a voter
checkout eva@Old as a
> granted
sleep Old for 60s
await holder besides Old within 1s
> yes
await 1 free within 20s
> yes
checkout jan@Desk as b
> granted
wait 60s
show a
> may not use a seat: this machine slept past the seat's ttl of 15 s, and all 1 seats of example-cad are in use: jan on Desk
show b
> uses a seat
show seats
> 1 of 1 taken in the books; used by b

# All sleep at once: nobody is left to hand over to, and nobody answers at once when they wake. So the program is told; `run`
# asks again.
office 3 desktops seats 2 ttl 15s over wifi
> 3 voters, 0 standbys, 0 spares
call Old the holder
checkout eva@Old as a
> granted
sleep all for 60s
wait 60s
await holder within 10s
> yes
wait 5s
show a
> may not use a seat: this machine slept past the seat's ttl of 15 s, and the site does not answer yet
show seats
> 0 of 2 taken in the books; used by nobody
