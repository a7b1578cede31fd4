# A laptop sleeps with a seat in use. The seat is given away after its ttl; the laptop finds out when it wakes.

office 3 desktops 1 laptop seats 1 ttl 15s over wifi
> 3 voters, 1 standby, 0 spares
call Desk a voter
checkout eva@pc3 as a
> granted
suspend pc3 for 60s
wait 10s
checkout jan@Desk as b
> refused: all 1 seats of example-cad are in use: eva on pc3
await 1 free within 10s
> yes
checkout jan@Desk as b
> granted
show seats
> 1 of 1 taken in the books; used by b
wait 45s
show pc3
> standby, laptop
show a
> has passed its deadline
show seats
> 1 of 1 taken in the books; used by b

# A shorter sleep costs nothing.
end b
checkout eva@pc3 as c
> granted
suspend pc3 for 8s
wait 20s
show c
> uses a seat
