# Closing time: of 44 machines 40 are switched off within one second, voters and standbys among them. Four stay.

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
show roles
> 5 voters, 2 standbys, 37 spares
> Late: spare
> Later: spare
> Latest: spare
> Last: spare
stop all but Late Later Latest Last within 1s
ask jan@Last as b
wait 3s
show roles
> nobody holds
show a
> uses a seat
show b
> uses a seat
