# Rule 10, as far as it goes today: a voter whose disk was put back to an older state gets again what it has lost.
# Nothing is lost, as the others have it. (That it is found out, and loses its vote for it, comes later.)

office 5 desktops seats 2 ttl 15s over wifi
> 3 voters, 2 standbys, 0 spares
call Old a voter
image Old
checkout eva@the-holder as a
> granted
roll back Old
wait 10s
show roles
> 3 voters, 1 standby, 1 spare
> Old: spare
show a
> uses a seat
checkout jan@Old as b
> granted
show seats
> 2 of 2 taken in the books; used by a, b

# A copy of a spare's disk in another machine: both are one device. What one of them is granted, the other cannot use
# and does not end.
office 6 desktops seats 1 ttl 15s over wifi
> 3 voters, 2 standbys, 1 spare
call Twin a spare
clone Twin as Copy
wait 10s
checkout eva@Twin as a
> granted
checkout jan@Copy as b
> refused: all 1 seats of example-cad are in use: eva on Twin
wait 20s
show a
> uses a seat
show seats
> 1 of 1 taken in the books; used by a

# A machine with an old disk asks under numbers that it has used before, learns that from the site, and goes on beyond
# them. It does so also after its next start: no number ever stands for two requests (I4).
office 4 desktops seats 3 ttl 15s over wifi
> 3 voters, 1 standby, 0 spares
call Old a standby
image Old
kill Old
start Old
wait 2s
checkout eva@Old as a
> granted
end a
wait 2s
roll back Old
wait 10s
checkout jan@Old as b
> granted
end b
wait 2s
kill Old
start Old
wait 10s
checkout ola@Old as c
> granted
end c
wait 2s
