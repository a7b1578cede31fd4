# A laptop changes from cable to Wi-Fi: it has another address. Its seat lives on, whether its connections do or not.

office 4 desktops 1 laptop seats 2 ttl 15s over wifi
> 3 voters, 2 standbys, 0 spares
call Desk a standby
checkout eva@pc4 as a
> granted
move pc4 keeping connections
wait 20s
show a
> uses a seat
move pc4
wait 20s
show a
> uses a seat

# The holder has another address: others look for it, find it, and keep their seats.
checkout jan@Desk as b
> granted
move the-holder
wait 30s
show a
> uses a seat
show b
> uses a seat
show seats
> 2 of 2 taken in the books; used by a, b
